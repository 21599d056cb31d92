package terminal

func newLive(o Options, p paper) View { return newPlain(o.Err, p) }
