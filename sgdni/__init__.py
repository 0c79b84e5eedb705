"""Decoupled neural interfaces with synthetic gradients, in pure NumPy.

Read the package from the bottom up; nothing imports from what stands below it in this list:

    checks, blas, files     wrong arrays refused; threads of the products; files all or nothing
    colours                 one set of colours for every figure
    shared, arrays          arrays that forked processes share; several that belong together
    products, users         a matrix product, counted; a class in a file of the user's own
    layers, losses          forward and backward, by hand
    optimizers              gradients into updates
    module                  a stack of layers trained as a unit
    synthetic               synthetic-gradient models M_i and how they are fitted
    interface               what stands between two modules: an SG model and its context
    gradcheck               finite differences against every backward pass
    network, mlp            modules + SG models + loss; the multilayer perceptron
    data                    data sets: known ones, loading, download
    training                schedules, the epoch loop, divergence, checkpoints
    timeline                who waits for whom: costs, schedules played through, Gantt charts
    settings, methods       what a run is made of; every contender by name
    cuts                    as many modules as workers, balanced by measured cost
    benchmark, plots        the comparison, as a table, JSON and pictures
    cli                     the command line
    course                  what the notebooks share: checks of exercises, style of figures
"""

__version__ = "0.1.0"
