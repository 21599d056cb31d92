package application

// Fact is one answer to "why is it out of sync, stuck, or not syncing". Subject is what it is about: an object's key, a
// window, the last operation.
type Fact struct {
	Topic   string `json:"topic"` // sync, operation, health, automatic, window, condition, project
	Subject string `json:"subject,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what a person can do
}
