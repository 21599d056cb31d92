package config

// MatchPath reports whether a path matches a pattern of include:local: * stands for any text without a slash, ** for
// any text, and everything else for itself (Use CI/CD configuration from other files, "Use include:local with wildcard
// file paths"). So configs/**.yml matches in configs and below it, configs/**/*.yml only below it. The time is at most
// the length of the pattern times that of the path.
func MatchPath(pattern, path string) bool {
	// at[i] says whether the first i bytes of path match what was taken of the pattern so far.
	at := make([]bool, len(path)+1)
	at[0] = true
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c != '*' {
			for j := len(path); j > 0; j-- {
				at[j] = at[j-1] && path[j-1] == c
			}
			at[0] = false
			continue
		}
		deep := i+1 < len(pattern) && pattern[i+1] == '*'
		if deep {
			i++
		}
		for j := 1; j <= len(path); j++ {
			at[j] = at[j] || at[j-1] && (deep || path[j-1] != '/')
		}
	}
	return at[len(path)]
}
