#!/bin/sh
# Makes a bare Debian root directory, the first argument, into the guest. The second is the directory with the other files of the guest.
set -eu
root=$1 from=$2

echo vm >"$root/etc/hostname"
echo "127.0.0.1 localhost vm" >"$root/etc/hosts"
: >"$root/etc/fstab" # the kernel mounts the one disk that there is
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"

install -m 755 "$from/vm-shell" "$from/vm-net" "$root/usr/local/sbin/"
install -m 644 "$from/vm-shell.service" "$from/vm-net.service" "$root/etc/systemd/system/"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
for unit in vm-shell vm-net; do
	ln -sf "../$unit.service" "$root/etc/systemd/system/multi-user.target.wants/"
done
# What a test has no use for costs seconds of a boot in software.
for unit in getty.target getty-static.service timers.target systemd-timesyncd.service systemd-logind.service systemd-binfmt.service \
	proc-sys-fs-binfmt_misc.automount e2scrub_reap.service modprobe@drm.service modprobe@configfs.service modprobe@fuse.service modprobe@loop.service \
	modprobe@dm_mod.service dev-hugepages.mount dev-mqueue.mount systemd-pcrphase.service systemd-pcrphase-sysinit.service \
	systemd-update-utmp.service systemd-update-utmp-runlevel.service modprobe@efi_pstore.service sys-kernel-debug.mount sys-kernel-tracing.mount; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# The initramfs has only what finds the disk.
echo MODULES=list >"$root/etc/initramfs-tools/conf.d/vm"
printf '%s\n' virtio_pci virtio_blk ext4 >>"$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u

rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* \
	"$root"/usr/lib/modules/*/kernel/drivers/gpu "$root"/usr/lib/modules/*/kernel/sound
