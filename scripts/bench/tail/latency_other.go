//go:build !linux

package main

import "errors"

func latency(config) error { return errors.New("latency is measured with inotify, on Linux") }
