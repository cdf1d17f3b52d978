// istiod's own generators and istioctl's analyzers as a test peer. Each line of standard input is a case (documents, mesh configuration,
// nodes); each line of file descriptor 3 is its answer: which documents istiod refuses, and what it would send to each node with the
// others in force. A case without nodes is only judged, one with files answered by what the analyzers say of them, one with meshes by
// which of them istiod refuses. (Standard output is istiod's log, some of it from
// before main.)
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"istio.io/istio/pkg/log"
)

type testCase struct {
	ID        int      `json:"id"`
	Documents []string `json:"documents"`
	// A bare MeshConfig in YAML.
	Mesh  string `json:"mesh"`
	Nodes []node `json:"nodes"`
	// To be analyzed instead.
	Files []sourceFile `json:"files"`
	// Bare MeshConfigs in YAML, to be judged instead.
	Meshes []string `json:"meshes"`
}

type answer struct {
	ID int `json:"id"`
	// By index of the document, or of the MeshConfig.
	Refused map[int]string                          `json:"refused"`
	Nodes   map[string]map[string][]json.RawMessage `json:"nodes"`
	// Of the analyzers.
	Messages []message `json:"messages,omitempty"`
	Error    string    `json:"error,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "give the file of istiod's CustomResourceDefinitions")
		os.Exit(2)
	}
	silence()
	documents, err := newDocumentReader(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.NewFile(3, "answers"))
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var c testCase
		if err := json.Unmarshal(line, &c); err != nil {
			fmt.Fprintln(os.Stderr, "a case must be one line of JSON:", err)
			os.Exit(2)
		}
		if err := out.Encode(run(c, documents)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func run(c testCase, documents *documentReader) answer {
	if c.Files != nil {
		messages, err := analyze(c.Files, c.Mesh)
		if err != nil {
			return answer{ID: c.ID, Error: err.Error()}
		}
		return answer{ID: c.ID, Messages: messages}
	}
	if c.Meshes != nil {
		return answer{ID: c.ID, Refused: refusedMeshes(c.Meshes)}
	}
	accepted, refused := documents.read(c.Documents)
	if len(c.Nodes) == 0 {
		return answer{ID: c.ID, Refused: refused}
	}
	nodes, err := generate(c, accepted)
	result := answer{ID: c.ID, Refused: refused, Nodes: nodes}
	if err != nil {
		result.Error = err.Error()
	}
	return result
}

func silence() {
	options := log.DefaultOptions()
	options.SetDefaultOutputLevel(log.OverrideScopeName, log.NoneLevel)
	_ = log.Configure(options)
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(log.NoneLevel)
	}
}
