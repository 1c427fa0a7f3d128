"""The leg in the garment and what is around it: pressure, motion and temperature at any time. No sensor, no noise."""

from calza_sim.physics.leg_in_garment import LegPhysics, Motion

__all__ = ["LegPhysics", "Motion"]
