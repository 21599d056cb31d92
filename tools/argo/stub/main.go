// Command stub answers as the web services do that Argo Rollouts' suites measure: /version as an API server, /anything as
// httpbin.org, everything else as the page behind the suites' secret address. It prints its own address.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("http://" + l.Addr().String())
	err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		var answer any = map[string]string{"message": "It worked!"}
		switch r.URL.Path {
		case "/version":
			answer = map[string]string{"major": "1", "minor": "35"}
		case "/anything":
			body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			answer = map[string]any{"json": json.RawMessage(body)}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
