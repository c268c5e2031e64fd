"use strict";
(() => {
  const root = document.documentElement;
  const remembered = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("theme", value); } catch { /* a page on disk may not remember */ } } };
  if (["light", "dark"].includes(remembered.get())) root.dataset.theme = remembered.get();
  document.querySelector("[data-theme-button]").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remembered.set(root.dataset.theme);
  });

  const reach = () => document.querySelectorAll(".math, .wide, .picture, .code").forEach((box) => {
    const scrolls = box.scrollWidth > box.clientWidth + 1 || (box.matches(".code") && box.scrollHeight > box.clientHeight + 1);
    if (scrolls === box.hasAttribute("tabindex")) return;
    if (scrolls) { box.tabIndex = 0; box.setAttribute("role", "region"); box.setAttribute("aria-label", document.body.dataset.scroll); }
    else ["tabindex", "role", "aria-label"].forEach((name) => box.removeAttribute(name));
  });
  reach();
  addEventListener("resize", reach);

  const every = (selector) => [...document.querySelectorAll(selector)];
  addEventListener("beforeprint", () => every("details").forEach((details) => { details.open = true; }));
  every("[data-fold]").forEach((button) => button.addEventListener("click", () =>
    every(".step").forEach((step) => { step.open = button.dataset.fold === "unfold"; })));

  const code = document.querySelector(".module");
  if (!code) return;
  const pane = code.querySelector(".code");
  const steps = new Map(every(".step").map((step) => [step.id.slice(2), step]));
  const lines = every(".line.marked");
  const formulasOf = (line) => line.dataset.f.split(" ").map((number) => steps.get(number)).filter(Boolean);
  const linesOf = (step) => lines.filter((line) => line.dataset.f.split(" ").includes(step.id.slice(2)));
  const narrow = matchMedia("(max-width: 63.99rem)");
  let pinned = null;

  const light = (elements) => {
    every(".lit").forEach((element) => element.classList.remove("lit"));
    elements.forEach((element) => element.classList.add("lit"));
  };
  const partners = (element) => element.matches(".step") ? linesOf(element) : formulasOf(element);
  const into = (box, element) => { box.scrollTop += element.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3; };
  const show = (element) => {
    const found = partners(element);
    light([element, ...found]);
    if (element.matches(".step") && found.length) into(pane, found[0]);
  };
  const pin = (element) => {
    pinned = pinned === element ? null : element;
    if (!pinned) { light([]); code.classList.remove("sheet"); return; }
    const found = partners(element);
    if (element.matches(".step")) {
      if (found.length && narrow.matches) { code.classList.add("sheet"); element.scrollIntoView({ block: "start" }); }
      show(element);
    } else {
      show(element);
      if (found.length) { found[0].open = true; found[0].scrollIntoView({ block: narrow.matches ? "start" : "center" }); }
    }
  };

  [...steps.values(), ...lines].forEach((element) => {
    element.addEventListener("mouseenter", () => { if (!pinned && !narrow.matches) show(element); });
    element.addEventListener("mouseleave", () => { if (!pinned && !narrow.matches) light([]); });
    element.addEventListener("focusin", () => { if (!pinned) show(element); });
  });
  lines.forEach((line) => line.addEventListener("click", (event) => { if (!event.target.closest("a")) pin(line); }));
  steps.forEach((step) => step.querySelector(".math").addEventListener("click", () => pin(step)));
  code.querySelector("[data-sheet]").addEventListener("click", () => { pinned = null; light([]); code.classList.remove("sheet"); });
  addEventListener("keydown", (event) => { if (event.key === "Escape") { pinned = null; light([]); code.classList.remove("sheet"); } });
  document.addEventListener("click", (event) => {
    const toLine = event.target.closest(".to-code a"), toStep = event.target.closest(".refs a");
    const target = document.querySelector((toLine || toStep)?.getAttribute("href") ?? "#none");
    if (!target) return;
    event.preventDefault();
    pinned = null;
    if (toLine) {
      pin(toLine.closest(".step"));
      into(pane, target);
      target.focus({ preventScroll: true });
    } else {
      pin(toStep.closest(".line"));
      target.open = true;
      target.scrollIntoView({ block: narrow.matches ? "start" : "center" });
      target.querySelector("summary").focus({ preventScroll: true });
    }
    light([...(toLine ? [toLine.closest(".step"), ...linesOf(toLine.closest(".step"))] : [toStep.closest(".line"), target])]);
  });
  const first = lines[0];
  if (first && !narrow.matches) into(pane, first);
})();
