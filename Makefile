# Two commands do everything on a bare Debian: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help demo test site bench sanitizers soak reliability chaos lint clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

demo:  ## the orders example on a real Kafka and a real RabbitMQ (DB=postgresql: and PostgreSQL, EMBEDDED=1: without servers)
	@scripts/demo $(if $(DB),--db $(DB)) $(if $(filter-out 0,$(EMBEDDED)),--embedded)

test:  ## every test, on real servers
	@scripts/test

site:  ## the documentation site, in build/site/html (SERVE=1: and at http://localhost:8000)
	@scripts/site $(if $(filter-out 0,$(SERVE)),--serve)

bench:  ## measured beside the raw clients (WRITE=1: into docs/performance.md; SLOW=1; COUNTS=1; BASELINE=commit: beside that commit)
	@scripts/bench $(if $(BASELINE),--baseline $(BASELINE)) $(if $(QUICK),--quick) $(if $(WRITE),--write) \
	  $(if $(SLOW),--slow) $(if $(LARGE),--large) $(if $(COUNTS),--counts) $(if $(ONLY),--only $(ONLY))

sanitizers:  ## units, live tests and all faults with AddressSanitizer, then with ThreadSanitizer
	@scripts/sanitizers

soak:  ## what takes too long for every day: 100,000 simulated schedules, ten minutes of overload
	@scripts/soak

reliability:  ## the fault tests, and their table in docs/reliability.md
	@scripts/reliability

chaos:  ## random faults on both real brokers (MINUTES=2)
	@scripts/chaos $(MINUTES)

lint:  ## commit subjects, how files begin, shellcheck, clang-format, clang-tidy
	@scripts/lint

clean:  ## stops the private servers and removes build/
	@for run in build/servers/*/.servers; do \
	  test ! -e "$$run" || ACTION_TRIGGERS_RUN="$${run%/.servers}" scripts/servers stop; done
	rm -rf build
