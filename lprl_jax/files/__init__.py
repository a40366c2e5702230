"""Files that people share or name: `paths` looks at what is given and writes whole files or none;
`archive` is the npz with a manifest that tables and datasets are, `yaml_values` reads YAML as
people mean it, `shipped` finds what comes with the package. Every floor may import it; it knows
nothing of the library.
"""
