# Nothing here needs `just`: every recipe is one line that works by itself.

# what there is
default:
    @just --list

# the program
build:
    go build -o stigmergy .

# a board with its daemon
up:
    go run . up

# all tests
test:
    go test ./...

# everything that CI runs
ci:
    .ci/run

# one minute: agents, rotations, kills, and the counts that must come out
demo:
    scripts/demo.sh

# the issue's own counts of crashes; half an hour
crash:
    go test ./scripts/crash -full -timeout 3h -v

# throughput, latency, idle and restart, beside the plainest tailer
bench:
    scripts/bench/tail.sh

# prove a writer: just conform board agents/7 python3 scripts/agents/agent.py
conform board lane *writer:
    scripts/agents/conformance.sh {{board}} {{lane}} {{writer}}
