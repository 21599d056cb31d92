package keyword_test

import (
	"fmt"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
)

func TestDebug(t *testing.T) {
	for _, k := range keyword.Table() {
		fmt.Println(k.Path, k.In.Places(), k.Support)
	}
}
