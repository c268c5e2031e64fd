"""From printed equations to a Cell: a document is searched for equations, parsed by a grammar, given roles and sizes."""
