package terminal

import "io"

// Block is a few lines at the end of a terminal's text that change in place; what was written before stays above. It is
// for views that are no run: a rollout, an application.
type Block struct {
	screen screen
	size   func() (columns, rows int, ok bool)
}

// NewBlock is a block on a terminal; false where out is none or cannot move its cursor.
func NewBlock(out io.Writer, env func(string) string) (*Block, bool) {
	size := sizeOf(out)
	if _, _, ok := size(); !ok || env("TERM") == "dumb" || env("CI") != "" {
		return nil, false
	}
	return &Block{screen: screen{out: out}, size: size}, true
}

// Draw shows lines instead of those shown before. Lines that are too long are cut; of more lines than the terminal has rows
// the last ones are left out.
func (b *Block) Draw(lines []string) error {
	columns, rows, ok := b.size()
	if !ok {
		columns, rows = 80, 24
	}
	if len(lines) > rows-1 {
		lines = lines[:max(rows-1, 1)]
	}
	shown := make([]string, len(lines))
	for i, line := range lines {
		shown[i] = cut(line, columns-1)
	}
	return b.screen.draw(nil, shown, columns, rows)
}
