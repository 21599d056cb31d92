package shop_test

import (
	"errors"
	"testing"
	"time"

	"example.com/shop/internal/shop"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func goods() []shop.Product {
	return []shop.Product{
		{ID: "tea", Name: "Tea", Price: 450, Stock: 5},
		{ID: "cup", Name: "Cup", Price: 1200, Stock: 1},
	}
}

func line(product string, quantity int) shop.Line {
	return shop.Line{Product: product, Quantity: quantity}
}

// tape is a journal in memory; it breaks after `room` changes.
type tape struct {
	changes []shop.Change
	room    int
}

func (t *tape) Append(c shop.Change) error {
	if len(t.changes) == t.room {
		return errors.New("the tape is full")
	}
	t.changes = append(t.changes, c)
	return nil
}

func open(t *testing.T, past []shop.Change, j shop.Journal) *shop.Shop {
	t.Helper()
	s, err := shop.Open(goods(), past, j, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fill(t *testing.T, s *shop.Shop, lines ...shop.Line) string {
	t.Helper()
	c, err := s.OpenCart()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if c, err = s.SetLine(c.ID, l.Product, l.Quantity); err != nil {
			t.Fatal(err)
		}
	}
	return c.ID
}

func TestPlace(t *testing.T) {
	worlds := map[string]struct {
		lines []shop.Line
		total shop.Money
		err   error
		left  int // tea
	}{
		"takes every line from the stock":          {lines: []shop.Line{line("tea", 2), line("cup", 1)}, total: 2100, left: 3},
		"counts the last quantity set":             {lines: []shop.Line{line("tea", 5), line("tea", 1)}, total: 450, left: 4},
		"sells the last one":                       {lines: []shop.Line{line("tea", 5)}, total: 2250, left: 0},
		"takes nothing when one line has no stock": {lines: []shop.Line{line("tea", 1), line("cup", 2)}, err: shop.ErrConflict, left: 5},
		"refuses an empty cart":                    {err: shop.ErrInvalid, left: 5},
		"refuses a cart emptied again":             {lines: []shop.Line{line("tea", 1), line("tea", 0)}, err: shop.ErrInvalid, left: 5},
	}
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil, nil)
			cart := fill(t, s, w.lines...)
			o, err := s.Place(cart)
			if !errors.Is(err, w.err) || o.Total != w.total {
				t.Errorf("got total %v and error %v, want %v and %v", o.Total, err, w.total, w.err)
			}
			if p, _ := s.Product("tea"); p.Stock != w.left {
				t.Errorf("%d tea left, want %d", p.Stock, w.left)
			}
			_, err = s.Cart(cart)
			if gone := errors.Is(err, shop.ErrNotFound); gone != (w.err == nil) {
				t.Errorf("cart is gone: %v, order: %v", gone, w.err)
			}
		})
	}
}

func TestSetLineRefuses(t *testing.T) {
	s := open(t, nil, nil)
	cart := fill(t, s)
	worlds := map[string]struct {
		cart, product string
		quantity      int
		err           error
	}{
		"an unknown cart":     {"nope", "tea", 1, shop.ErrNotFound},
		"an unknown product":  {cart, "nope", 1, shop.ErrNotFound},
		"less than nothing":   {cart, "tea", -1, shop.ErrInvalid},
		"more than is sane":   {cart, "tea", 101, shop.ErrInvalid},
		"nothing when it may": {cart, "tea", 100, nil},
	}
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			if _, err := s.SetLine(w.cart, w.product, w.quantity); !errors.Is(err, w.err) {
				t.Errorf("got %v, want %v", err, w.err)
			}
		})
	}
}

func TestAShopOpenedWithItsPastIsThatShop(t *testing.T) {
	j := &tape{room: 100}
	s := open(t, nil, j)
	o, err := s.Place(fill(t, s, line("tea", 3)))
	if err != nil {
		t.Fatal(err)
	}
	waiting := fill(t, s, line("cup", 1))

	again := open(t, j.changes, nil)
	if got, err := again.Order(o.ID); err != nil || got.Total != o.Total || !got.Placed.Equal(noon) {
		t.Errorf("order: got %+v, %v, want %+v", got, err, o)
	}
	if p, _ := again.Product("tea"); p.Stock != 2 {
		t.Errorf("%d tea left, want 2", p.Stock)
	}
	if c, err := again.Cart(waiting); err != nil || c.Total != 1200 {
		t.Errorf("cart: got %+v, %v", c, err)
	}
	if n := again.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestWhatIsNotOnRecordHasNotHappened(t *testing.T) {
	j := &tape{room: 2}
	s := open(t, nil, j)
	cart := fill(t, s, line("tea", 1))
	if _, err := s.Place(cart); err == nil {
		t.Fatal("an order was placed without a record")
	}
	if p, _ := s.Product("tea"); p.Stock != 5 {
		t.Errorf("%d tea left, want 5", p.Stock)
	}
	if _, err := s.Cart(cart); err != nil {
		t.Errorf("the cart is gone: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	worlds := map[string][]shop.Product{
		"a product twice":           {{ID: "tea"}, {ID: "tea"}},
		"a product without id":      {{Name: "Tea"}},
		"a product below no price":  {{ID: "tea", Price: -1}},
		"a product with owed stock": {{ID: "tea", Stock: -1}},
	}
	for name, products := range worlds {
		t.Run(name, func(t *testing.T) {
			if _, err := shop.Open(products, nil, nil, time.Now); !errors.Is(err, shop.ErrInvalid) {
				t.Errorf("got %v, want %v", err, shop.ErrInvalid)
			}
		})
	}
}

func TestMoney(t *testing.T) {
	for m, want := range map[shop.Money]string{0: "0.00", 5: "0.05", 450: "4.50", 123456: "1234.56"} {
		if got := m.String(); got != want {
			t.Errorf("%d cents: got %s, want %s", int64(m), got, want)
		}
	}
}
