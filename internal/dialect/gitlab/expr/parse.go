package expr

import (
	"errors"
	"strings"
)

// parser is a precedence climber over the tokens: ! binds tightest, then the comparisons, then &&, then ||; all
// binary operators group to the left.
type parser struct {
	text   string
	tokens []token
	i      int
}

var precedence = map[string]int{"==": 3, "!=": 3, "=~": 3, "!~": 3, "&&": 2, "||": 1}

func (p *parser) parse() (node, error) {
	if len(p.text) > MaxText {
		return nil, mistake(CodeSize, 0, "the expression has %d bytes, at most %d are allowed", len(p.text), MaxText)
	}
	tokens, err := lex(p.text)
	if err != nil {
		return nil, err
	}
	p.tokens = tokens
	if tokens[0].kind == tokenEnd {
		return nil, mistake(CodeSyntax, 0, "the expression is empty")
	}
	root, err := p.binary(1)
	if err != nil {
		return nil, err
	}
	switch t := p.peek(); t.kind {
	case tokenEnd:
		return root, nil
	case ")":
		return nil, mistake(CodeSyntax, t.at, "a ) without its (")
	default:
		return nil, mistake(CodeSyntax, t.at, "expected an operator before %s", t.text).hint("join conditions with && or ||")
	}
}

func (p *parser) peek() token { return p.tokens[p.i] }

func (p *parser) take() token {
	t := p.tokens[p.i]
	p.i++
	return t
}

func (p *parser) binary(floor int) (node, error) {
	left, err := p.unary()
	if err != nil {
		return nil, err
	}
	for {
		op := p.peek()
		level := precedence[op.kind]
		if level == 0 || level < floor {
			return left, nil
		}
		p.take()
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		if left, err = join(op, left, right); err != nil {
			return nil, err
		}
	}
}

func join(op token, left, right node) (node, error) {
	switch op.kind {
	case "&&":
		return both{left, right}, nil
	case "||":
		return either{left, right}, nil
	case "==", "!=":
		return same{left, right, op.kind == "!="}, nil
	}
	if c, ok := right.(constant); ok && c.value.kind == truth {
		return nil, mistake(CodeType, op.at, "%s needs a regular expression on its right, not %s", op.kind, c.value)
	}
	return match{left: left, right: right, not: op.kind == "!~", at: op.at}, nil
}

func (p *parser) unary() (node, error) {
	t := p.peek()
	switch t.kind {
	case "!":
		p.take()
		below, err := p.unary()
		if err != nil {
			return nil, err
		}
		return negation{below}, nil
	case "(":
		p.take()
		inside, err := p.binary(1)
		if err != nil {
			return nil, err
		}
		if end := p.peek(); end.kind != ")" {
			return nil, mistake(CodeSyntax, end.at, "expected ) or an operator%s", found(end)).hint("the ( at character %d is still open", t.at+1)
		}
		p.take()
		return inside, nil
	}
	return p.operand()
}

func (p *parser) operand() (node, error) {
	t := p.take()
	switch t.kind {
	case tokenVariable:
		return variable(t.text[1:]), nil
	case tokenInput:
		name := strings.TrimSpace(t.text[3 : len(t.text)-2])
		return input(strings.TrimPrefix(name, "inputs.")), nil
	case tokenString:
		return constant{Text(t.text[1 : len(t.text)-1])}, nil
	case tokenNull:
		return constant{Null()}, nil
	case tokenTruth:
		return constant{Truth(t.text == "true")}, nil
	case tokenPattern:
		return literal(t)
	case ")":
		return nil, mistake(CodeSyntax, t.at, "expected a variable or a value before )")
	}
	e := mistake(CodeSyntax, t.at, "expected a variable or a value%s", found(t))
	if p.i > 1 && t.kind != tokenEnd && p.tokens[p.i-2].kind == "==" {
		return nil, e.hint("equality is ==")
	}
	return nil, e
}

func literal(t token) (node, error) {
	re, err := CompilePattern(t.text)
	var e *Error
	if errors.As(err, &e) {
		e.Offset += t.at
		return nil, e
	}
	return constant{compiled(re)}, err
}

func found(t token) string {
	if t.kind == tokenEnd {
		return ", found the end"
	}
	return ", found " + t.text
}
