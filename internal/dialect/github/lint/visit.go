package lint

import "github.com/sluice-delivery/sluice/internal/dialect/yamlx"

// visit calls each for every text below n with the key that it stands under. Nodes that aliases share are visited once.
func visit(n *yamlx.Node, each func(key, value string)) {
	seen := map[*yamlx.Node]bool{}
	var below func(key string, n *yamlx.Node)
	below = func(key string, n *yamlx.Node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		switch n.Kind {
		case yamlx.Sequence:
			for _, item := range n.Items {
				below(key, item)
			}
		case yamlx.Mapping:
			for _, p := range n.Pairs {
				below(p.Key.Value, p.Value)
			}
		default:
			if s, ok := n.Str(); ok {
				each(key, s)
			}
		}
	}
	below("", n)
}
