module github.com/sluice-delivery/sluice

go 1.26.0

require (
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)
