"""Looking at the rest of a project's images while there is nothing else to do."""

from __future__ import annotations

from pccs.project import Project
from pccs.suggest import STRATEGIES, Survey, survey_of


class Surveying:
    """Goes on where a suggestion that compares images stopped, so that the next one knows more of them."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._survey: Survey | None = None
        self._wanted = False

    @property
    def left(self) -> bool:
        """Whether there is more to look at."""
        return self._wanted

    def suggested_by(self, strategy: str) -> None:
        """Somebody was answered by ``strategy``; after one that compares images there is something to do."""
        if STRATEGIES[strategy].needs_embedding:
            self._survey, self._wanted = None, True

    def images_changed(self) -> None:
        """Forget what the project's images were."""
        self._survey = None

    def advance(self) -> None:
        """Look at one image more, and at one annotated one."""
        if self._survey is None:
            self._survey = survey_of(self._project)
        self._survey.look_further(1)
        if self._survey.finished:
            self._survey, self._wanted = None, False
