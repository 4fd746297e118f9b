package countersign

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"testing"
)

const (
	beforeBlock = `package docs

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"time"

	"github.com/countersign/countersign/clients/go"
)

func block(ctx context.Context, agent *countersign.Agent, user *countersign.Signer, key *countersign.Key, refusal *countersign.Refusal, userToken string, body []byte) error {
	{
`
	afterBlock = "\n\t}\n\treturn nil\n}\n"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// The blocks of the guide and the README are right Go, with these variables around them.
func TestBlocksOfTheDocsCompile(t *testing.T) {
	files := token.NewFileSet()
	from := importer.ForCompiler(files, "source", nil)
	for path, most := range map[string]int{"docs/guides/agents-go.md": 5, "clients/go/README.md": 1} {
		text, err := os.ReadFile(repository(t, path))
		must(t, err)
		blocks := goBlock.FindAllStringSubmatch(string(text), -1)
		if len(blocks) != most {
			t.Errorf("%s has %d blocks", path, len(blocks))
		}
		for _, block := range blocks {
			file, err := parser.ParseFile(files, path, beforeBlock+block[1]+afterBlock, 0)
			must(t, err)
			config := types.Config{Importer: from, Error: func(err error) {
				// A block may leave a variable or an import unused.
				if found, ok := err.(types.Error); !ok || !found.Soft {
					t.Error(err)
				}
			}}
			_, _ = config.Check("docs", files, []*ast.File{file}, nil)
		}
	}
}
