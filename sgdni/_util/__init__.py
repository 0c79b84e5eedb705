"""What every room needs and no reader comes for: checks, files, memory, BLAS threads."""
