"""The command line.

`main` parses, `commands` has a function a command, `demo` is the demonstration. Nothing is to be
imported from here: a program calls what a command calls. It may import every other package, and
none imports it.
"""
