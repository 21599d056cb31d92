module github.com/sluice-delivery/sluice

go 1.26
