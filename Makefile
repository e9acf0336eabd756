# SPDX-License-Identifier: GPL-2.0-or-later
# A thin front over meson, for those who do not want to know it.
#
#   sudo make demo                 see it work, in namespaces of its own; ARGS="--no-vm --keep" are passed on
#   sudo make check                every test there is
#   make build                     into build/
#   sudo make install              what `make build` made; PREFIX=/usr/local, DESTDIR= as usual
#   sudo make bench                the figures
#
# What has to be installed is in debian/control (Build-Depends) and tools/deps.sh.

BUILD  ?= build
PREFIX ?= /usr/local
ARGS   ?=

.PHONY: help deps build demo check install bench clean need-root

help:
	@sed -n '3,9s/^# \{0,1\}//p' Makefile

deps:
	@tools/deps.sh all

build:
	@tools/deps.sh build
	@tools/build.sh $(BUILD) -Dprefix=$(PREFIX)

need-root:
	@if [ "$$(id -u)" != 0 ]; then \
		echo "This makes network namespaces, which needs root: sudo make $(MAKECMDGOALS)" >&2; exit 1; fi

demo: need-root
	@tools/deps.sh demo
	@tools/build.sh $(BUILD) -Dprefix=$(PREFIX)
	@$(BUILD)/src/cli/vmlane demo $(ARGS)

check: need-root
	@tools/deps.sh check
	@tools/check.sh

install: build
	@ninja -C $(BUILD) install

bench: need-root
	@tools/deps.sh bench
	@tools/build.sh $(BUILD) -Dprefix=$(PREFIX)
	@bench/run.sh $(BUILD) $(ARGS)

clean:
	rm -rf build build-check
