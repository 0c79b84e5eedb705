"""The colours of every figure: Okabe and Ito's eight, which colour-blind readers tell apart.

The true gradient is black, as backpropagation is in the plots of methods, and the synthetic one is
vermilion: the two differ in lightness too, so they stay apart in a grey print.
"""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PINK = "#0072B2", "#D55E00", "#CC79A7"

#: Two more, of Paul Tol's muted scheme, where seven are too few.
INDIGO, OLIVE = "#332288", "#999933"

#: The two that the course keeps for gradients, and uses for nothing else.
TRUE, SYNTHETIC = BLACK, VERMILION

#: For lines that are neither.
OTHERS = (BLUE, ORANGE, GREEN, PINK, SKY)
