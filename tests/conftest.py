"""What holds for every test: a machine with other work to do is no reason to fail."""

from hypothesis import HealthCheck, settings

# Hypothesis' own limits (200 ms an example, a second to draw one) measure the machine, not the property; speed is the
# benchmarks' affair. The blob lets a failure be played again from the log alone.
settings.register_profile("calza", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("calza")
