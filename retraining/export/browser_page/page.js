"use strict";
(() => {
  const SHOWN = 6; // classes with a bar at once; the others are a click away
  const THUMBNAIL = 352; // pixels, twice what is shown, for sharp screens

  const element = (id) => document.getElementById(id);
  const made = (tag, className = "", text = "") => {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    return node;
  };

  function say(text, isTrouble = false) {
    element("status").textContent = text;
    element("status").classList.toggle("trouble", isTrouble);
  }

  async function loadedSession() {
    ort.env.wasm.numThreads = 1; // more need headers that only a server of one's own sends
    ort.env.wasm.wasmBinary = await unpacked("wasm");
    const loader = new Blob([await unpacked("loader")], { type: "text/javascript" });
    ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(loader) };
    return ort.InferenceSession.create(await unpacked("model"), { executionProviders: ["wasm"] });
  }

  async function scoresOf(session, bitmap, isJpeg) {
    const { height, width } = classifier.image_size;
    const pixels = scaled(resized(bitmap, { height, width }, isJpeg), classifier.input_mean, classifier.input_std);
    const input = new ort.Tensor("float32", pixels, [1, height, width, 3]);
    const results = await session.run({ [session.inputNames[0]]: input });
    return [...results[session.outputNames[0]].data];
  }

  const ranked = (scores) => scores
    .map((score, index) => ({ label: classifier.labels[index], score }))
    .sort((one, other) => other.score - one.score);

  const percent = (score) => `${(score * 100).toFixed(1)} %`;

  function barOf({ label, score }) {
    const row = made("li");
    row.dataset.label = label;
    row.dataset.score = score.toFixed(7);
    const track = made("div", "track");
    const bar = made("div", "bar");
    bar.style.width = `${Math.min(100, Math.max(0, score * 100))}%`;
    track.append(bar);
    row.append(made("span", "label", label), track, made("span", "percent", percent(score)));
    return row;
  }

  function bars(predictions, className) {
    const list = made("ul", `scores ${className}`);
    list.append(...predictions.map(barOf));
    return list;
  }

  function thumbnail(bitmap) {
    const canvas = made("canvas");
    const scale = Math.min(1, THUMBNAIL / Math.max(bitmap.width, bitmap.height));
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "The photo");
    return canvas;
  }

  function show(card) {
    element("results").prepend(card);
    element("clear").hidden = false;
  }

  function showPredictions(name, bitmap, scores) {
    const predictions = ranked(scores);
    const card = made("li", "photo");
    card.dataset.name = name;
    const shown = predictions.length > SHOWN + 1 ? SHOWN : predictions.length;
    card.append(thumbnail(bitmap), made("h2", "", predictions[0].label), made("p", "name", name));
    card.append(bars(predictions.slice(0, shown), "best"));
    if (shown < predictions.length) {
      const rest = made("details");
      rest.append(made("summary", "", `${predictions.length - shown} more classes`));
      rest.append(bars(predictions.slice(shown), ""));
      card.append(rest);
    }
    show(card);
    say(`${name}: ${predictions[0].label}, ${percent(predictions[0].score)}.`);
  }

  function showRefused(name, reason) {
    const card = made("li", "photo");
    card.dataset.name = name;
    const nothing = made("div", "nothing", "?");
    nothing.setAttribute("aria-hidden", "true");
    card.append(nothing, made("h2", "trouble", "Not read"), made("p", "name", name), made("p", "trouble", reason));
    show(card);
    say(`${name}: ${reason}`, true);
  }

  async function label(loading, name, open) {
    let photo;
    try {
      photo = await open();
    } catch {
      showRefused(name, "This browser cannot read it as a photo. JPEG and PNG always work.");
      return;
    }
    try {
      showPredictions(name, photo.bitmap, await scoresOf(await loading, photo.bitmap, photo.isJpeg));
    } catch (error) {
      showRefused(name, `It cannot be labelled here: ${error.message}`);
    } finally {
      photo.bitmap.close();
    }
  }

  // Photos are labelled one after the other, however many come at once.
  function queueFor(loading) {
    let last = Promise.resolve();
    return (name, open) => {
      last = last.then(() => {
        say(`Looking at ${name} …`);
        return new Promise((painted) => { setTimeout(painted); });
      }).then(() => label(loading, name, open));
    };
  }

  function takeFiles(files, add) {
    for (const file of files) add(file.name || "pasted photo", () => opened(file));
  }

  function listenToDrops(add) {
    const target = element("source");
    const isFiles = (event) => [...event.dataTransfer.types].includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!isFiles(event)) return;
      event.preventDefault();
      target.classList.add("dragged");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) target.classList.remove("dragged");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      target.classList.remove("dragged");
      if (event.dataTransfer.files.length) takeFiles(event.dataTransfer.files, add);
      else say("What was dropped is no file. Save the picture first, and drop its file.", true);
    });
  }

  function listenToPaste(add) {
    document.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length) takeFiles(event.clipboardData.files, add);
      else say("The clipboard holds no photo.", true);
    });
  }

  function listenToPicker(add) {
    element("files").addEventListener("change", (event) => {
      takeFiles(event.target.files, add);
      event.target.value = ""; // so that the same photo can be chosen again
    });
  }

  function listenToCamera(add) {
    if (!navigator.mediaDevices?.getUserMedia) return; // browsers allow it on https and on this computer only
    const video = element("video");
    let count = 0;
    const close = () => {
      video.srcObject?.getTracks().forEach((track) => track.stop());
      video.srcObject = null;
      element("camera").hidden = true;
      element("camera-button").hidden = false;
    };
    element("camera-button").hidden = false;
    element("camera-button").addEventListener("click", async () => {
      try {
        video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
        await video.play();
      } catch (error) {
        say(`The camera cannot be used: ${error.message}.`, true);
        close();
        return;
      }
      element("camera").hidden = false;
      element("camera-button").hidden = true;
      element("shoot").focus();
    });
    element("close-camera").addEventListener("click", close);
    element("shoot").addEventListener("click", async () => {
      const bitmap = await createImageBitmap(video);
      count += 1;
      add(`camera photo ${count}`, async () => ({ bitmap, isJpeg: false }));
    });
  }

  function listenToClear() {
    element("clear").addEventListener("click", () => {
      element("results").replaceChildren();
      element("clear").hidden = true;
      say("Ready.");
      element("files").focus();
    });
  }

  function sentence(labels) {
    const some = labels.length > 8 ? [...labels.slice(0, 7), `${labels.length - 7} more`] : [...labels];
    const last = some.pop();
    return some.length ? `This classifier tells ${some.join(", ")} and ${last} apart.` : `It knows ${last}.`;
  }

  async function start() {
    element("classes").textContent = sentence(classifier.labels);
    const loading = loadedSession();
    const add = queueFor(loading);
    [listenToDrops, listenToPaste, listenToPicker, listenToCamera].forEach((listen) => listen(add));
    listenToClear();
    try {
      await loading;
    } catch (error) {
      say(`The classifier cannot be loaded in this browser, which may be too old: ${error.message}`, true);
      return;
    }
    if (!element("results").children.length) say("Ready.");
    document.body.dataset.ready = "true"; // what tests wait for
  }

  start();
})();
