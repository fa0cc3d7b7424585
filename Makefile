# ctl: everything a developer or CI calls. What needs logic is a Go program or a test.
export CGO_ENABLED = 0
GO = go
BUILD = $(GO) build -trimpath -ldflags='-s -w'
ARCHS = amd64 arm64 arm 386 riscv64 ppc64le s390x loong64
FUZZTIME = 2m

all:
	$(BUILD) -o bin/ctl ./cmd/ctl

# Shows the main job on a copy of the sample tree in testdata.
demo: all
	$(GO) run ./internal/demo

# All tests; some make a Debian tree in .cache first.
test:
	$(GO) test -timeout 40m ./...

# More random trees and calls against the real systemctl (from SEED on), all cases and containers, and the Go fuzz targets.
fuzz:
	CTL_FUZZTIME=$(FUZZTIME) CTL_SEED=$(SEED) $(GO) test -timeout 0 -count 1 -v -run 'TestRandom$$' ./internal/difftest ./internal/managertest ./internal/spawntest
	CTL_ALL=1 $(GO) test -timeout 0 -count 1 ./internal/difftest ./internal/spawntest
	for p in $$($(GO) list ./...); do for f in $$($(GO) test -list ^Fuzz $$p | grep ^Fuzz); do $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime 20s $$p || exit 1; done; done

# What takes kernels of its own, in virtual machines whose processor is software; they and qemu are fetched first.
vm:
	CTL_ALL=1 $(GO) test -timeout 0 -count 1 -v ./internal/vmtest

bench: all
	$(GO) run ./internal/bench

lint:
	@out=$$(gofmt -l */); test -z "$$out" || { echo "gofmt: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

cross:
	for a in $(ARCHS); do GOARCH=$$a $(BUILD) -o bin/ctl-$$a ./cmd/ctl || exit 1; done

install: all
	install -D -m 0755 bin/ctl $(DESTDIR)/usr/bin/ctl
	$(GO) run ./internal/pages $(DESTDIR)/usr/share

clean:
	rm -rf bin
.PHONY: all demo test fuzz vm bench lint cross install clean
