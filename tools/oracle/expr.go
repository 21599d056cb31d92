package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rhysd/actionlint"
)

type verdict struct {
	OK    bool   `json:"ok"`
	Shape string `json:"shape,omitempty"`
	Error string `json:"error,omitempty"`
}

// parseExpr parses one expression as actionlint does.
func parseExpr(line []byte) (any, error) {
	var q struct {
		Expr string `json:"expr"`
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, fmt.Errorf("read question: %w", err)
	}
	root, bad := actionlint.NewExprParser().Parse(actionlint.NewExprLexer(q.Expr + "}}"))
	if bad != nil {
		return verdict{Error: bad.Error()}, nil
	}
	return verdict{OK: true, Shape: shape(root)}, nil
}

// shape prints a tree so that two parsers can be compared: (operator operands…), rows of && and || laid flat.
func shape(n actionlint.ExprNode) string {
	switch n := n.(type) {
	case *actionlint.VariableNode:
		return n.Name
	case *actionlint.NullNode:
		return "null"
	case *actionlint.BoolNode:
		return strconv.FormatBool(n.Value)
	case *actionlint.IntNode:
		return strconv.FormatFloat(float64(n.Value), 'g', -1, 64)
	case *actionlint.FloatNode:
		return strconv.FormatFloat(n.Value, 'g', -1, 64)
	case *actionlint.StringNode:
		return strconv.Quote(n.Value)
	case *actionlint.ObjectDerefNode:
		return "(. " + shape(n.Receiver) + " " + n.Property + ")"
	case *actionlint.ArrayDerefNode:
		return "(.* " + shape(n.Receiver) + ")"
	case *actionlint.IndexAccessNode:
		return "([] " + shape(n.Operand) + " " + shape(n.Index) + ")"
	case *actionlint.NotOpNode:
		return "(! " + shape(n.Operand) + ")"
	case *actionlint.CompareOpNode:
		return "(" + n.Kind.String() + " " + shape(n.Left) + " " + shape(n.Right) + ")"
	case *actionlint.LogicalOpNode:
		return "(" + n.Kind.String() + " " + strings.Join(row(n, n.Kind), " ") + ")"
	case *actionlint.FuncCallNode:
		parts := []string{strings.ToLower(n.Callee) + "()"}
		for _, a := range n.Args {
			parts = append(parts, shape(a))
		}
		return "(" + strings.Join(parts, " ") + ")"
	default:
		return fmt.Sprintf("%T", n)
	}
}

// row lays a && b && c flat.
func row(n actionlint.ExprNode, kind actionlint.LogicalOpNodeKind) []string {
	if l, ok := n.(*actionlint.LogicalOpNode); ok && l.Kind == kind {
		return append(row(l.Left, kind), row(l.Right, kind)...)
	}
	return []string{shape(n)}
}
