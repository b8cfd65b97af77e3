"""What a user brings along, small enough to read: named in tests as ``own_parts:distance``."""


def distance(student, teacher, power=2):
    """Mean distance of the rows, to a power."""
    return (student - teacher).abs().pow(power).mean()
