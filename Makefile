# `make demo` and `make test` need nothing but Python 3.10 to 3.13 and a package index.

PYTHON ?= python3
VENV ?= .venv
DEMO_DIR ?= demo
BENCH_DIR ?=

BIN = $(VENV)/bin

.PHONY: demo test soak browser-test check bench clean

demo: $(VENV)/installed
	$(BIN)/python -m retraining.sample_photos $(DEMO_DIR)/photos
	$(BIN)/python retrain.py --image_dir $(DEMO_DIR)/photos \
		--bottleneck_dir $(DEMO_DIR)/bottlenecks --summaries_dir $(DEMO_DIR)/logs \
		--output_graph $(DEMO_DIR)/output_graph.pb --output_labels $(DEMO_DIR)/output_labels.txt \
		--checkpoint_path $(DEMO_DIR)/checkpoint --eval_step_interval 400
	$(BIN)/python label_image.py --graph $(DEMO_DIR)/output_graph.pb --labels $(DEMO_DIR)/output_labels.txt \
		--image $(DEMO_DIR)/photos/tulip/tulip_0001.jpg
	@echo
	@echo "Photographs: $(DEMO_DIR)/photos"
	@echo "Graph:       $(DEMO_DIR)/output_graph.pb"
	@echo "Labels:      $(DEMO_DIR)/output_labels.txt"
	@echo "Now look at the training:"
	@echo "  $(BIN)/tensorboard --logdir $(DEMO_DIR)/logs"

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -m "not soak and not browser" --numprocesses 2 --dist loadfile

soak: $(VENV)/installed-test
	$(BIN)/python -m pytest -m soak

# `make browser-test SCREENSHOTS=DIR` keeps pictures of what is seen.
browser-test: $(VENV)/installed-browser-test
	$(BIN)/python -m pytest -m browser tests/report

check: $(VENV)/installed-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks bench $(BENCH_DIR)

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.txt
	touch $@

$(VENV)/installed-test: $(VENV)/installed setup.cfg
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@

$(VENV)/installed-browser-test: $(VENV)/installed-test
	$(BIN)/pip install --quiet --editable ".[test,browser-test]"
	touch $@

$(VENV)/installed-check: $(VENV)/installed-test
	$(BIN)/pip install --quiet --editable ".[test,check]"
	touch $@
