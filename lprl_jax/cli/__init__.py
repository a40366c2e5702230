"""The command line.

`parser` says how commands are called, `main` runs one, `commands` has a function a command, `demo`
is the demonstration; `streams`, `interrupts` and `warnings` are manners in a shell, `imports` and
`programs` make a start short. Nothing is to be imported
from here: a program calls what a command calls. It may import every other package, and none imports
it.
"""
