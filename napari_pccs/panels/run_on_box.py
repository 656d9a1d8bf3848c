"""*Run on*: this computer, or one that ssh reaches; and, folded away, what has to be known of that one."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QLineEdit, QWidget

from napari_pccs.desk import Desk
from napari_pccs.run_on import configured_hosts
from napari_pccs.ui import SPACE, reported

HERE = "This computer"
ABOUT = (
    "Which computer trains and predicts: this one, or another that you reach with ssh without a password.\n"
    "Write its name as after 'ssh'. It needs napari-pccs; copies of the images used are sent there.\n"
    "If the connection is lost the work goes on there, and comes back with it."
)
DETAILS = {
    "remote_python": (
        "Python there",
        "What starts a Python with napari-pccs on that computer, such as ~/venv/bin/python.",
    ),
    "remote_folder": (
        "Folder there",
        "Where copies of projects go there. Empty: the cache folder of its user.",
    ),
    "remote_shared": (
        "Shared folder",
        "HERE=THERE: two paths of one folder on a drive that both computers see,\n"
        "such as /data/ann=/nas/ann. Projects in it are not copied.",
    ),
}


class RunOnBox(QComboBox):
    """The computer, to be chosen or typed; remembered as soon as it is."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._choice = desk.session.run_on
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.addItem(HERE)
        self.addItems(configured_hosts())
        self.setToolTip(ABOUT)
        self.activated.connect(lambda _: self._choose())
        self.lineEdit().editingFinished.connect(self._choose)

    def refresh(self, free: bool) -> None:
        """Show what is chosen; it cannot be changed unless ``free``."""
        if not self.lineEdit().hasFocus() or not free:
            self.setEditText(self._choice.host or HERE)
        self.setEnabled(free)

    def _choose(self) -> None:
        typed = self.currentText().strip()
        with reported():
            self._choice.choose(run_on="" if typed.casefold() == HERE.casefold() else typed)
        self.setEditText(self._choice.host or HERE)


class RunOnDetails(QWidget):
    """What has to be known of a computer elsewhere; not to be seen while this one trains."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._session = desk.session
        self.fields = {name: QLineEdit() for name in DETAILS}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * SPACE)
        grid.setVerticalSpacing(SPACE)
        for at, (name, (title, about)) in enumerate(DETAILS.items()):
            label, field = QLabel(title), self.fields[name]
            label.setBuddy(field)
            label.setToolTip(about)
            field.setToolTip(about)
            field.setAccessibleName(title)
            field.editingFinished.connect(lambda name=name: self._choose(name))
            grid.addWidget(label, at, 0)
            grid.addWidget(field, at, 1)

    def refresh(self, free: bool) -> None:
        """Show what is chosen; it cannot be changed unless ``free``."""
        self.setVisible(bool(self._session.run_on.host))
        for name, field in self.fields.items():
            if not field.hasFocus():
                field.setText(getattr(self._session.preferences, name))
            field.setEnabled(free)

    def _choose(self, name: str) -> None:
        with reported():
            self._session.run_on.choose(**{name: self.fields[name].text()})
        self.fields[name].setText(getattr(self._session.preferences, name))
