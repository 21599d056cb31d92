package expr

// Equal is == : values of different kinds become numbers; text is compared ignoring case; arrays and objects are equal
// only where they are the same one; NaN equals nothing.
func Equal(a, b Value) bool {
	a, b = coerce(a, b)
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case KindNull:
		return true
	case KindBool, KindNumber:
		return a.num == b.num
	case KindString:
		return equalFold(a.text, b.text)
	case KindArray:
		return a.arr == b.arr
	default:
		return a.obj == b.obj
	}
}

// Less is <. Only numbers, texts and booleans have an order.
func Less(a, b Value) bool {
	a, b = coerce(a, b)
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case KindBool, KindNumber:
		return a.num < b.num
	case KindString:
		return compareFold(a.text, b.text) < 0
	default:
		return false
	}
}

// coerce brings two values of different kinds to one kind where that is possible: a text beside a number, and a boolean
// or null beside anything, become numbers.
func coerce(a, b Value) (Value, Value) {
	if a.kind == b.kind {
		return a, b
	}
	if a.kind == KindBool || a.kind == KindNull {
		a = Number(a.Number())
	}
	if b.kind == KindBool || b.kind == KindNull {
		b = Number(b.Number())
	}
	switch {
	case a.kind == KindNumber && b.kind == KindString:
		b = Number(b.Number())
	case a.kind == KindString && b.kind == KindNumber:
		a = Number(a.Number())
	}
	return a, b
}
