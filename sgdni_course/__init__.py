"""What the notebooks of the course share.

Here and not beside the notebooks, so that a notebook works wherever it has been handed out to.

    style           one call for legible figures in one look
    quoted, stated  say so when the run contradicts the lesson's text
    answers         compare a student's answer with the right one and with the usual wrong ones
    exercise01 ...  the checks of each lesson's exercises
"""

from sgdni_course.answers import ask, compare, well_done
from sgdni_course.quoted import quoted, stated
from sgdni_course.style import style

__all__ = ["ask", "compare", "quoted", "stated", "style", "well_done"]
