package docker

// SetUser has the executor believe that it runs as another user, to whom files of containers must be given.
func (x *Executor) SetUser(uid int) { x.uid = uid }

// Credentials is for tests of signing in.
var Credentials = credentials
