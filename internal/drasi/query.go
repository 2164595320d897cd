package drasi

import (
	"strings"

	"github.com/draas-io/draas/api/v1alpha1"
)

// query checks a query. Its values are plain: references are not resolved in them (2.6).
func (p *planner) query(e entry) {
	p.requiredText(e, "query")
	if language, there := e.object["queryLanguage"]; !there || language == nil {
		e.object["queryLanguage"] = string(v1alpha1.QueryLanguageGQL)
	}
	p.storageBackend(e)
}

// storageBackend checks where a query keeps its index. The one named backend there is, is rocksdb, and only while persistIndex is true (6.2).
func (p *planner) storageBackend(e entry) {
	persistent := truth(p.root, "persistIndex", false)
	onDisk := persistent
	switch backend := e.object["storageBackend"].(type) {
	case string:
		field := child(e.path, "storageBackend")
		switch {
		case backend != "rocksdb":
			p.out.refuse(field, "there is no storage backend %s: write rocksdb, or an object with a kind", quoted(backend))
		case !persistent:
			p.out.refuse(field, "the storage backend rocksdb is there only while %s is true", child(p.inst, "persistIndex"))
		}
		onDisk = backend == "rocksdb"
	case object:
		onDisk = text(backend, "kind") != "memory"
	}
	if id := text(e.object, "id"); onDisk && !isFolderName(id) && id != "" {
		p.out.refuse(child(e.path, "id"), "%s names the folder of the query's index: it must not contain / or \\", quoted(id))
	}
}

// isFolderName says whether a query id can name the folder of its index (2.6).
func isFolderName(id string) bool {
	return !strings.ContainsAny(id, `/\`) && id != "." && id != ".."
}
