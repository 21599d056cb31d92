package schedule

// heap keeps the least of its things on top, and each thing knows its place, so that any can be moved or taken out.
type heap[T comparable] struct {
	things []T
	less   func(a, b T) bool
	place  func(T) *int
}

func (h *heap[T]) len() int { return len(h.things) }
func (h *heap[T]) top() T   { return h.things[0] }

func (h *heap[T]) has(t T) bool {
	i := *h.place(t)
	return i < len(h.things) && h.things[i] == t
}

func (h *heap[T]) push(t T) {
	h.things = append(h.things, t)
	h.set(len(h.things)-1, t)
	h.up(len(h.things) - 1)
}

func (h *heap[T]) remove(t T) {
	i, last := *h.place(t), len(h.things)-1
	var zero T
	h.set(i, h.things[last])
	h.things[last] = zero
	h.things = h.things[:last]
	if i < last {
		h.down(h.up(i))
	}
}

// fix moves a thing whose order has changed.
func (h *heap[T]) fix(t T) { h.down(h.up(*h.place(t))) }

// rebuild sorts all anew.
func (h *heap[T]) rebuild() {
	for i := len(h.things)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *heap[T]) set(i int, t T) {
	h.things[i] = t
	*h.place(t) = i
}

func (h *heap[T]) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.things[i], h.things[parent]) {
			break
		}
		h.swap(i, parent)
		i = parent
	}
	return i
}

func (h *heap[T]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.things); child++ {
			if h.less(h.things[child], h.things[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h *heap[T]) swap(i, j int) {
	a, b := h.things[i], h.things[j]
	h.set(i, b)
	h.set(j, a)
}
