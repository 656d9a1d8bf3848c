"""Several people on one project: each writes in a folder of their own, and what they painted is joined.

::

    people/NAME/
      annotations/ITEM.r0003.tif   what NAME painted, and nothing else
      decisions/ITEM.r0001.tif     what NAME decided where strokes differ
      taken/ITEM.tif               which of the strokes were taken over from a prediction
      claim.json                   the item NAME is painting, and for how long that counts
    joined.json                    of which strokes ``annotations/`` was made, and where they differ

``annotations/`` is made of the strokes and the decisions alone (:func:`pccs.project.people.join.join`),
by who holds the project. Only an item that somebody else painted is written twice.
"""

from pccs.project.people.claims import MINUTES, Claim
from pccs.project.people.join import places
from pccs.project.people.names import checked_name, default_name
from pccs.project.people.people import People
from pccs.project.people.record import Conflict

__all__ = ["MINUTES", "Claim", "Conflict", "People", "checked_name", "default_name", "places"]
