package main

import (
	"fmt"
	"os"
	"strings"

	"istio.io/istio/pkg/config/analysis/analyzers"
	"istio.io/istio/pkg/config/analysis/local"
)

type sourceFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type message struct {
	Code string `json:"code"`
	// Info, Warning, Error.
	Level string `json:"level"`
	// Kind, namespace and name of the object; empty for what is about none.
	Origin string `json:"origin"`
	// File and line.
	Reference string `json:"reference"`
	Text      string `json:"text"`
}

// What istioctl's analyzers say of files, Pods and Namespaces among them. Text that cannot be read is left out, as by istioctl.
func analyze(files []sourceFile, mesh string) ([]message, error) {
	analyzer := local.NewIstiodAnalyzer(analyzers.AllCombined(), "", "istio-system", nil)
	if mesh != "" {
		if err := useMeshConfig(analyzer, mesh); err != nil {
			return nil, err
		}
	}
	var readers []local.ReaderSource
	for _, file := range files {
		readers = append(readers, local.ReaderSource{Name: file.Name, Reader: strings.NewReader(file.Text)})
	}
	_ = analyzer.AddTestReaderKubeSource(readers)
	// As istioctl without a cluster: a gateway of Istio's is taken to run.
	if err := analyzer.AddDefaultResources(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	defer close(done)
	result, err := analyzer.Analyze(done)
	if err != nil {
		return nil, err
	}
	messages := []message{}
	for _, found := range result.Messages {
		fields := found.Unstructured(true)
		messages = append(messages, message{
			Code: found.Type.Code(), Level: found.Type.Level().String(),
			Origin: text(fields["origin"]), Reference: text(fields["reference"]), Text: text(fields["message"]),
		})
	}
	return messages, nil
}

// The analyzer takes a file only.
func useMeshConfig(analyzer *local.IstiodAnalyzer, mesh string) error {
	file, err := os.CreateTemp("", "mesh-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(mesh); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return analyzer.AddFileKubeMeshConfig(file.Name())
}

func text(field any) string {
	if field == nil {
		return ""
	}
	return fmt.Sprint(field)
}
