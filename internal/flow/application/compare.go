package application

// Compare tells how live stands against what is desired.
func Compare(c Comparing) Comparison { return Comparison{} }
