// Loaded before Plotly: it writes styles as attributes, which the content security policy refuses; the same
// text through the style object is allowed.
"use strict";

const setAttribute = Element.prototype.setAttribute;
const setAttributeNS = Element.prototype.setAttributeNS;

Element.prototype.setAttribute = function (name, value) {
  if (name === "style" && this.style) this.style.cssText = value;
  else setAttribute.call(this, name, value);
};
Element.prototype.setAttributeNS = function (space, name, value) {
  if (space === null && name === "style" && this.style) this.style.cssText = value;
  else setAttributeNS.call(this, space, name, value);
};
