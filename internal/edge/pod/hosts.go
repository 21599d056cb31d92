package pod

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// SetNames says which names the processes of a namespace see besides this machine's: lines of /etc/hosts. Processes that run
// see the change. It needs Mounts.
func (m *Manager) SetNames(namespace string, lines []string) error {
	m.mu.Lock()
	m.hostNames[namespace] = lines
	m.mu.Unlock()
	path := m.hosts(namespace)
	if path == "" {
		return nil
	}
	system, err := os.ReadFile("/etc/hosts")
	if err != nil {
		system = []byte("127.0.0.1 localhost\n")
	}
	text := strings.TrimRight(string(system), "\n") + "\n# the Services of " + namespace + ", by sluice up\n" + strings.Join(lines, "\n") + "\n"
	if now, err := os.ReadFile(path); err == nil && string(now) == text {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fault.New(CodeFolder, "%v", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { // in place: it is mounted
		return fault.New(CodeFolder, "%v", err)
	}
	return nil
}

// hosts is the file of a namespace's names, "" where processes cannot see it.
func (m *Manager) hosts(namespace string) string {
	if !m.mounts || !filepath.IsLocal(namespace) {
		return ""
	}
	return filepath.Join(m.c.Dir, "hosts", namespace)
}

// names are the names of a namespace as the engine takes them: name:address.
func (m *Manager) names(namespace string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, line := range m.hostNames[namespace] {
		f := strings.Fields(line)
		for _, n := range f[1:] {
			out = append(out, n+":"+f[0])
		}
	}
	return out
}
