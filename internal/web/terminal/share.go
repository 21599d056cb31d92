package terminal

import "io"

// Writer is where the command writes while the view is on, so that its text does not get between the view's lines:
// whole lines, for people. Views for programs have none; then it is the one given.
func Writer(v View, otherwise io.Writer) io.Writer {
	if w, ok := before(v).(io.Writer); ok {
		return w
	}
	return otherwise
}

// Pause leaves the terminal to somebody else, such as a shell that a person works in, until resume is called.
func Pause(v View) (resume func()) {
	if p, ok := before(v).(interface{ Pause() func() }); ok {
		return p.Pause()
	}
	return func() {}
}

// before is the view without its veil.
func before(v View) View {
	if b, ok := v.(*veil); ok {
		return b.View
	}
	return v
}
