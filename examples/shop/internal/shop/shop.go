// Package shop sells things: a catalogue with stock, carts, and orders.
//
// All that happens is a Change. A change is first given to the journal and then applied, so a shop that is opened with the changes of
// an earlier one is that shop. The package knows no HTTP and no disk.
package shop

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Errors that a caller can tell apart with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrInvalid  = errors.New("not valid")
	ErrConflict = errors.New("conflict")
)

// most is the largest quantity of one product in a cart.
const most = 100

// Money is an amount in cents.
type Money int64

func (m Money) String() string { return fmt.Sprintf("%d.%02d", m/100, m%100) }

// Product is one thing that is sold. Stock is how many are left.
type Product struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Price Money  `json:"price"`
	Stock int    `json:"stock"`
}

// Line is a quantity of one product.
type Line struct {
	Product  string `json:"product"`
	Quantity int    `json:"quantity"`
}

// Cart is what a customer is about to buy, ordered by product. Total is at today's prices.
type Cart struct {
	ID    string `json:"id"`
	Lines []Line `json:"lines"`
	Total Money  `json:"total"`
}

// Order is what a customer has bought, at the prices of that moment.
type Order struct {
	ID     string    `json:"id"`
	Cart   string    `json:"cart"`
	Lines  []Line    `json:"lines"`
	Total  Money     `json:"total"`
	Placed time.Time `json:"placed"`
}

// Change is one thing that happened: exactly one field is set.
type Change struct {
	Opened string `json:"opened,omitempty"` // a cart of this id was opened
	Set    *Set   `json:"set,omitempty"`    // a line of a cart was set
	Order  *Order `json:"order,omitempty"`  // a cart became an order
}

// Set gives a product's quantity in a cart; 0 takes it out.
type Set struct {
	Cart string `json:"cart"`
	Line
}

// Journal keeps changes. Append returns when the change will survive the process.
type Journal interface {
	Append(Change) error
}

// Shop is safe for use by several goroutines.
type Shop struct {
	mu       sync.RWMutex
	products map[string]Product
	carts    map[string]map[string]int
	orders   map[string]Order
	journal  Journal
	now      func() time.Time
}

// Open makes a shop that sells these products and has these changes behind it. Later changes go to journal, which may be nil.
func Open(products []Product, past []Change, journal Journal, now func() time.Time) (*Shop, error) {
	s := &Shop{
		products: make(map[string]Product, len(products)),
		carts:    map[string]map[string]int{},
		orders:   map[string]Order{},
		journal:  journal,
		now:      now,
	}
	for _, p := range products {
		switch _, twice := s.products[p.ID]; {
		case p.ID == "" || p.Price < 0 || p.Stock < 0:
			return nil, fmt.Errorf("product %q: %w: it needs an id, and a price and stock of at least 0", p.ID, ErrInvalid)
		case twice:
			return nil, fmt.Errorf("product %q: %w: it is in the catalogue twice", p.ID, ErrInvalid)
		}
		s.products[p.ID] = p
	}
	for _, c := range past {
		s.apply(c)
	}
	return s, nil
}

// Products lists the catalogue, ordered by id.
func (s *Shop) Products() []Product {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.products), func(a, b Product) int { return strings.Compare(a.ID, b.ID) })
}

// Product finds one product.
func (s *Shop) Product(id string) (Product, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.products[id]
	if !ok {
		return Product{}, fmt.Errorf("product %q: %w", id, ErrNotFound)
	}
	return p, nil
}

// OpenCart makes an empty cart.
func (s *Shop) OpenCart() (Cart, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := rand.Text()
	if err := s.record(Change{Opened: id}); err != nil {
		return Cart{}, err
	}
	return s.cart(id), nil
}

// Cart finds one cart.
func (s *Shop) Cart(id string) (Cart, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, ok := s.carts[id]; !ok {
		return Cart{}, fmt.Errorf("cart %q: %w", id, ErrNotFound)
	}
	return s.cart(id), nil
}

// SetLine sets how many of a product are in a cart; 0 takes it out. Stock is checked when the order is placed.
func (s *Shop) SetLine(cart, product string, quantity int) (Cart, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.carts[cart]; !ok {
		return Cart{}, fmt.Errorf("cart %q: %w", cart, ErrNotFound)
	}
	if _, ok := s.products[product]; !ok {
		return Cart{}, fmt.Errorf("product %q: %w", product, ErrNotFound)
	}
	if quantity < 0 || quantity > most {
		return Cart{}, fmt.Errorf("quantity %d: %w: 0 to %d", quantity, ErrInvalid, most)
	}
	if err := s.record(Change{Set: &Set{Cart: cart, Line: Line{Product: product, Quantity: quantity}}}); err != nil {
		return Cart{}, err
	}
	return s.cart(cart), nil
}

// Place turns a cart into an order and takes its lines from the stock: all of them, or none.
func (s *Shop) Place(cart string) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.carts[cart]; !ok {
		return Order{}, fmt.Errorf("cart %q: %w", cart, ErrNotFound)
	}
	c := s.cart(cart)
	if len(c.Lines) == 0 {
		return Order{}, fmt.Errorf("cart %q: %w: it is empty", cart, ErrInvalid)
	}
	for _, l := range c.Lines {
		if left := s.products[l.Product].Stock; left < l.Quantity {
			return Order{}, fmt.Errorf("product %q: %w: %d wanted, %d left", l.Product, ErrConflict, l.Quantity, left)
		}
	}
	o := Order{ID: rand.Text(), Cart: cart, Lines: c.Lines, Total: c.Total, Placed: s.now().UTC()}
	if err := s.record(Change{Order: &o}); err != nil {
		return Order{}, err
	}
	return o, nil
}

// Order finds one order.
func (s *Shop) Order(id string) (Order, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.orders[id]
	if !ok {
		return Order{}, fmt.Errorf("order %q: %w", id, ErrNotFound)
	}
	return o, nil
}

// Orders counts the orders placed.
func (s *Shop) Orders() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.orders)
}

// record journals a change, then applies it: what is not on record has not happened.
func (s *Shop) record(c Change) error {
	if s.journal != nil {
		if err := s.journal.Append(c); err != nil {
			return fmt.Errorf("record the change: %w", err)
		}
	}
	s.apply(c)
	return nil
}

// apply makes a change that was checked before. Products that have left the catalogue since are passed over.
func (s *Shop) apply(c Change) {
	switch {
	case c.Opened != "":
		s.carts[c.Opened] = map[string]int{}
	case c.Set != nil && c.Set.Quantity == 0:
		delete(s.carts[c.Set.Cart], c.Set.Product)
	case c.Set != nil:
		if lines, ok := s.carts[c.Set.Cart]; ok {
			lines[c.Set.Product] = c.Set.Quantity
		}
	case c.Order != nil:
		s.orders[c.Order.ID] = *c.Order
		delete(s.carts, c.Order.Cart)
		for _, l := range c.Order.Lines {
			if p, ok := s.products[l.Product]; ok {
				p.Stock = max(0, p.Stock-l.Quantity)
				s.products[l.Product] = p
			}
		}
	}
}

func (s *Shop) cart(id string) Cart {
	c := Cart{ID: id, Lines: []Line{}}
	for _, product := range slices.Sorted(maps.Keys(s.carts[id])) {
		quantity := s.carts[id][product]
		c.Lines = append(c.Lines, Line{Product: product, Quantity: quantity})
		c.Total += s.products[product].Price * Money(quantity)
	}
	return c
}
