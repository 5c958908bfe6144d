// A scheduler extender that has no opinion: the floor that HTTP and JSON in Go's standard library set.
// It decodes what a scorer needs to know of the request and answers every name with the same score.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

type pod struct {
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		UID         string            `json:"uid"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Containers []struct {
			Resources struct {
				Requests map[string]string `json:"requests"`
			} `json:"resources"`
		} `json:"containers"`
	} `json:"spec"`
}

type extenderArgs struct {
	Pod       *pod
	NodeNames *[]string
}

type hostPriority struct {
	Host  string
	Score int64
}

type filterResult struct {
	NodeNames                  *[]string
	FailedNodes                map[string]string
	FailedAndUnresolvableNodes map[string]string
	Error                      string
}

func decode(w http.ResponseWriter, r *http.Request) ([]string, bool) {
	var args extenderArgs
	if err := json.NewDecoder(r.Body).Decode(&args); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, false
	}
	if args.NodeNames == nil {
		return nil, true
	}
	return *args.NodeNames, true
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}

func main() {
	http.HandleFunc("POST /v1/prioritize", func(w http.ResponseWriter, r *http.Request) {
		names, ok := decode(w, r)
		if !ok {
			return
		}
		scores := make([]hostPriority, 0, len(names))
		for _, name := range names {
			scores = append(scores, hostPriority{Host: name, Score: 5})
		}
		answer(w, scores)
	})
	http.HandleFunc("POST /v1/filter", func(w http.ResponseWriter, r *http.Request) {
		if names, ok := decode(w, r); ok {
			answer(w, filterResult{NodeNames: &names})
		}
	})
	address := "127.0.0.1:0"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	// The caller reads the port from the first line.
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
