"use strict";
(() => {
  const tip = document.getElementById("tip");
  const panels = document.querySelector(".panels");
  const show = (point, x, y) => {
    tip.textContent = point.dataset.tip;
    tip.style.display = "block";
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.min(x + 14, innerWidth - box.width - 8) + "px";
    tip.style.top = Math.max(8, y - box.height - 12) + "px";
  };
  const hide = () => { tip.style.display = "none"; };
  for (const point of document.querySelectorAll(".point")) {
    const box = point.getBBox();
    const hit = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    hit.setAttribute("class", "hit");
    hit.setAttribute("r", 8);
    hit.setAttribute("cx", box.x + box.width / 2);
    hit.setAttribute("cy", box.y + box.height / 2);
    point.append(hit);
    point.setAttribute("tabindex", 0);
    point.addEventListener("pointermove", event => show(point, event.clientX, event.clientY));
    point.addEventListener("pointerleave", hide);
    point.addEventListener("focus", () => {
      const at = point.getBoundingClientRect();
      show(point, at.right, at.top);
    });
    point.addEventListener("blur", hide);
  }
  const buttons = [...document.querySelectorAll("button[data-method]")];
  const set = (button, on) => {
    button.setAttribute("aria-pressed", on);
    const key = CSS.escape(button.dataset.method);
    for (const curve of panels.querySelectorAll(`[data-method="${key}"]`)) curve.classList.toggle("off", !on);
  };
  for (const button of buttons) {
    button.addEventListener("click", () => set(button, button.getAttribute("aria-pressed") !== "true"));
    button.addEventListener("dblclick", () => buttons.forEach(other => set(other, other === button)));
  }
  for (const radio of document.querySelectorAll("input[name=measure]"))
    radio.addEventListener("change", () => { panels.dataset.measure = radio.value; });
  document.getElementById("all").addEventListener("click", () => buttons.forEach(button => set(button, true)));
})();
