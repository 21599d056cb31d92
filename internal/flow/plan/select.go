package plan

// Choice is a selection of a plan's jobs, by ID. The other jobs stay in the plan; a run passes them over.
type Choice struct {
	Selected map[string]bool // every job that takes part
	Named    map[string]bool // those of them that a name given stands for; the rest came in as their needs
	Play     []string        // selected manual jobs that are to be played when their turn comes, in the plan's order
}
