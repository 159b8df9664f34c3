"""The learned codec: a scale hyperprior over the plane of aligned tokens (CAUFC, section 3; Balle et al., 2018)."""
