"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const isShown = element => element.getClientRects().length > 0;

// In the frame of a notebook a link within the page would lead to the notebook.
const isInFrame = location.protocol === "about:";
if (isInFrame) document.addEventListener("click", event => {
  const link = event.target.closest('a[href^="#"]');
  if (!link || event.defaultPrevented) return;
  event.preventDefault();
  document.getElementById(link.hash.slice(1))?.scrollIntoView();
});

// One model at a time, where there are several.
const models = all(".model"), tabs = all(".tabs a");

function showModel(chosen) {
  models.forEach(model => { model.hidden = model !== chosen; });
  tabs.forEach(tab => {
    const isChosen = tab.hash === `#${chosen.id}`;
    tab.setAttribute("aria-selected", isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
  });
}

function followAddress() {
  const target = document.getElementById(location.hash.slice(1));
  const chosen = target?.closest(".model");
  if (!chosen?.hidden) return;
  showModel(chosen);
  target.scrollIntoView();
}

if (tabs.length) {
  document.querySelector(".tabs ul").role = "tablist";
  tabs.forEach(tab => {
    tab.role = "tab";
    tab.parentElement.role = "presentation";
    tab.setAttribute("aria-controls", tab.hash.slice(1));
    tab.addEventListener("click", event => {
      event.preventDefault();
      if (!isInFrame) history.replaceState(null, "", tab.hash);
      showModel(document.getElementById(tab.hash.slice(1)));
    });
    tab.addEventListener("keydown", event => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
  });
  models.forEach(model => { model.role = "tabpanel"; });
  showModel(models[0]);
  addEventListener("hashchange", followAddress);
  followAddress();
}

// Arrow keys move between the cells of a matrix and between photographs; Tab goes past them.
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function middle(element) {
  const box = element.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
}

function neighbour(from, others, [right, down]) {
  const [x, y] = middle(from);
  let best = null, least = Infinity;
  for (const other of others) {
    const [otherX, otherY] = middle(other);
    const along = (otherX - x) * right + (otherY - y) * down;
    const aside = Math.abs((otherX - x) * down) + Math.abs((otherY - y) * right);
    if (along > 1 && aside <= along && along + 3 * aside < least) [best, least] = [other, along + 3 * aside];
  }
  return best;
}

function next(from, others, key) {
  if (key === "Home") return others[0];
  if (key === "End") return others.at(-1);
  const found = neighbour(from, others, WAYS[key]);
  const step = WAYS[key][0];  // at the end of a line, on to the next one
  return found ?? (step ? others[others.indexOf(from) + step] : null);
}

all("[data-arrows]").forEach(group => {
  const items = all("[data-item]", group);
  items.forEach((item, number) => { item.tabIndex = number ? -1 : 0; });
  group.addEventListener("focusin", event => {
    const item = event.target.closest("[data-item]");
    if (item) items.forEach(other => { other.tabIndex = other === item ? 0 : -1; });
  });
  group.addEventListener("keydown", event => {
    const item = event.target.closest("[data-item]");
    if (!item || !(event.key in WAYS || event.key === "Home" || event.key === "End")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    next(item, items.filter(isShown), event.key)?.focus();
  });
});

// Errors of a class, or whose file or classes have a text in them.
all("[data-filter]").forEach(form => {
  const id = form.dataset.filter;
  const part = name => document.getElementById(`${id}-${name}`);
  const text = part("filter"), choice = part("filter-class"), cards = all(".error", part("gallery"));

  function filter() {
    const rest = part("gallery").querySelector("details");
    if (rest) rest.open = true;
    const words = text.value.trim().toLowerCase();
    const label = choice.value;
    const shown = cards.filter(card => {
      const { label: own, takenFor, file } = card.dataset;
      card.hidden = !(`${own}\n${takenFor}\n${file}`.toLowerCase().includes(words) && (!label || [own, takenFor].includes(label)));
      return !card.hidden;
    });
    const photographs = cards.length === 1 ? "photograph" : "photographs";
    part("count").value = shown.length === cards.length ? `${cards.length} ${photographs}` : `${shown.length} of ${cards.length} ${photographs}`;
    part("none").hidden = shown.length > 0;
    cards.forEach(card => { card.tabIndex = card === shown[0] ? 0 : -1; });
  }

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());
});

// Who goes on from the last photograph of a window leaves it.
all(".window").forEach(window => window.addEventListener("focusout", event => {
  if (event.relatedTarget && !window.contains(event.relatedTarget)) window.hidePopover();
}));

// The section that is being read. The page itself must stay where it is.
function bringIntoView(link, bar) {
  bar.scrollTo(link.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2, link.offsetTop - (bar.clientHeight - link.offsetHeight) / 2);
}

const links = new Map(all(".sections a").map(link => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver(entries => {
  entries.filter(entry => entry.isIntersecting).forEach(({ target }) => {
    links.forEach((link, id) => {
      if (id !== target.id) return link.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
      bringIntoView(link, link.closest(".sections"));
    });
  });
}, { rootMargin: "-15% 0px -75% 0px" });
all("section").forEach(section => watcher.observe(section));

// Commands to be copied.
all("[data-copy]").forEach(button => {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const command = document.getElementById(button.dataset.copy);
    getSelection().selectAllChildren(command);
    button.textContent = "Press Ctrl+C";
    if (isInFrame) return;
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "Copied";
    } catch {
      // The browser refuses; it is selected, to be copied by hand.
    }
  });
});

// On paper there is nothing to open, and settings left at the default are not printed.
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details:not([open], .defaults)");
  closed.forEach(details => { details.open = true; });
});
addEventListener("afterprint", () => closed.forEach(details => { details.open = false; }));
