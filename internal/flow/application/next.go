package application

// Next decides what a sync does now.
func Next(s Syncing) SyncDecision { return SyncDecision{State: s.State} }
