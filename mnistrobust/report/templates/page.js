// Filter, sort, and show what an address names. Without this, the page shows everything.
(() => {
  "use strict";
  const form = document.getElementById("filters");
  const list = document.getElementById("claims");
  const shown = document.getElementById("shown");
  const entries = Array.from(list.children);

  const chosen = (name) => form.elements.namedItem(name).value;
  const number = (text) => (text === "" ? Infinity : Number(text));
  const keys = {
    worst: (entry) => Number(entry.dataset.worst),
    document: (entry) => Number(entry.dataset.order),
    rate: (entry) => number(entry.dataset.rate),
    margin: (entry) => number(entry.dataset.margin),
  };

  const fits = (entry) =>
    ["family", "verdict", "outcome"].every(
      (name) => !chosen(name) || entry.dataset[name] === chosen(name),
    ) && entry.textContent.toLowerCase().includes(chosen("search").trim().toLowerCase());

  const apply = () => {
    for (const entry of entries) {
      entry.hidden = !fits(entry);
    }
    const key = keys[chosen("order")];
    const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0); // Infinity - Infinity is not 0
    const ordered = [...entries].sort(
      (a, b) => before(key(a), key(b)) || a.dataset.order - b.dataset.order,
    );
    list.append(...ordered);
    const count = entries.filter((entry) => !entry.hidden).length;
    shown.textContent = `${count} of ${entries.length} shown`;
  };

  const named = () => {
    try {
      return document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return null; // a broken escape in the address
    }
  };
  const reveal = () => {
    const target = named();
    if (!target) {
      return;
    }
    if (target.hidden) {
      form.reset();
      apply();
    }
    for (const each of document.querySelectorAll("details")) {
      each.open ||= each.contains(target) || each.parentElement === target;
    }
    target.scrollIntoView();
  };

  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) {
      setTimeout(reveal); // no hashchange where the address stays
    }
  });

  form.hidden = false;
  apply();
  reveal();
})();
